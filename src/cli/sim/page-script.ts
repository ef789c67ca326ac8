/** What runs in the page: it hides and shows steps, and moves between them. It reads the page and nothing else. */
export const script = `'use strict'
const byId = (id) => document.getElementById(id)
const steps = [...document.querySelectorAll('#steps li')]
const texts = steps.map((step) => step.textContent.toLowerCase())
const lanes = [...document.querySelectorAll('.lane[type=checkbox]')]
const isOdd = (step) => /fault|crash|violation/.test(step.className)
let current = 0
const visible = (step) => !step.hidden && (!step.classList.contains('noise') || step.classList.contains('shown'))
const go = (index) => {
  if (index < 0 || steps[index] === undefined) return
  steps[current].tabIndex = -1
  current = index
  steps[current].tabIndex = 0
  steps[current].focus()
  steps[current].scrollIntoView({ block: 'nearest' })
}
const seek = (by, wanted) => {
  for (let index = current + by; steps[index] !== undefined; index += by)
    if (visible(steps[index]) && wanted(steps[index])) return go(index)
}
const update = () => {
  const words = byId('filter').value.toLowerCase().split(/\\s+/).filter(Boolean)
  const open = new Set(lanes.filter(({ checked }) => checked).map(({ value }) => value))
  let count = 0
  steps.forEach((step, index) => {
    const isWanted = words.every((word) => texts[index].includes(word)) && (open.has(step.dataset.from) || open.has(step.dataset.to))
    step.hidden = !isWanted || (byId('faults').checked && !isOdd(step))
    step.classList.toggle('shown', byId('all').checked)
    if (visible(step)) count += 1
  })
  byId('count').textContent = count + (count === 1 ? ' step' : ' steps')
  byId('nothing').hidden = count > 0
}
document.addEventListener('input', update)
byId('controls').addEventListener('submit', (event) => event.preventDefault())
byId('steps').addEventListener('click', (event) => {
  const index = steps.indexOf(event.target.closest('li'))
  if (index >= 0) go(index)
})
const keys = {
  '/': () => byId('filter').focus(),
  j: () => seek(1, () => true),
  ArrowDown: () => seek(1, () => true),
  k: () => seek(-1, () => true),
  ArrowUp: () => seek(-1, () => true),
  f: () => seek(1, isOdd),
  F: () => seek(-1, isOdd),
  e: () => go(steps.findIndex((step) => step.classList.contains('violation'))),
  Home: () => go(steps.findIndex(visible)),
  End: () => go(steps.findLastIndex(visible)),
}
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (event.target === byId('filter')) {
    if (event.key === 'Enter') go(steps.findIndex(visible))
    if (event.key !== 'Escape') return
    byId('filter').value = ''
    update()
    return go(current)
  }
  const action = keys[event.key]
  if (action === undefined || (event.target.type === 'checkbox' && event.key.length > 1)) return
  event.preventDefault()
  action()
})
if (steps.length > 0) steps[0].tabIndex = 0
update()
`
