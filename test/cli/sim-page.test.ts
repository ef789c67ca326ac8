import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { pageOf, type PageOf } from '../../src/cli/sim/page.ts'

const evil = '</span><script>alert("x")</script>\u202e\u0007'
const given: PageOf = {
  scenario: `shop ${evil}`,
  seed: evil,
  deviations: [{ kind: 'fault', stream: `crash ${evil}`, ordinal: 13, value: 1 }],
  invariant: evil,
  message: evil,
  verdict: 'It breaks as it did.',
  trace: [
    { atMs: 0, node: 'shop', place: '/user', what: 'spawned' },
    { atMs: 0.14, node: 'driver', place: 'shop', what: 'tell order 17 order.pay' },
    { atMs: 1, node: 'shop', place: '/durable/order/17', what: 'handled order.pay from /user/till' },
    { atMs: 2, node: 'shop', place: 'bank.charge', what: `is called with "${evil}"` },
    { atMs: 3, node: 'shop', place: 'fault', what: 'crash' },
    { atMs: 3, node: 'shop', place: 'process', what: 'crashes: killed' },
    { atMs: 4, node: evil, place: evil, what: evil },
    { atMs: 5, node: 'world', place: 'violation', what: 'charged twice' },
  ],
}

/** The items of the list of steps. */
const steps = (page: string): readonly string[] =>
  [...page.matchAll(/<li class="[^"]*" tabindex.*<\/li>/g)].map(([item]) => item)

test('given a trace, when its page is made, then each step has its time, its lanes and what it is', () => {
  const page = pageOf(given)
  const items = steps(page)

  expect(items).toHaveLength(given.trace.length)
  expect(items[0]).toContain('class="plain noise"')
  expect(items[1]).toMatch(/<time>0\.1 ms<\/time>.*clients → shop<\/span> tell order 17 order\.pay<\/span><\/li>$/)
  expect(items[2]).toMatch(/class="arrow .*shop\/till → shop\/order\/17/)
  expect(items[4]).toMatch(/^<li class="fault".*<b>fault<\/b>/)
  expect(items[5]).toMatch(/^<li class="crash"/)
  expect(items[7]).toMatch(/^<li class="violation".*<b>violation<\/b>/)
  const lanes = [...page.matchAll(/class="lane" value="\d+" checked> <span class="c\d">\d+<\/span> (.*?)<\/label>/g)]
  expect(lanes.map(([, name]) => name).slice(0, 4)).toEqual(['clients', 'shop', 'shop/till', 'shop/order/17'])
  expect(lanes.at(-1)?.[1]).toBe('shop/user') // it has no part in it
})

test('given text that would be markup, when it is shown, then it is text, and what cannot be seen has a number', () => {
  const page = pageOf(given)

  expect(page).not.toContain(evil)
  expect(page).not.toContain('<script>alert')
  expect(page.match(/<script/g)).toHaveLength(1)
  expect(page).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;\\u{202e}\\u{7}')
  expect(page).not.toMatch(/[\u202e\u0007]/)
})

test('given the page, when a browser opens it, then its policy lets in what is in it and nothing else', () => {
  const page = pageOf(given)
  const [, policy = ''] = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page) ?? []
  const hash = (tag: string): string => {
    const [, text = ''] = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(page) ?? []
    return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  }
  expect(policy.split('; ')).toEqual([
    "default-src 'none'",
    `script-src ${hash('script')}`,
    `style-src ${hash('style')}`,
    "base-uri 'none'",
    "form-action 'none'",
  ])
  expect(page).not.toMatch(/https?:|\son\w+="|\sstyle="|javascript:/)
})

test('given a long trace with many actors, when its page is made, then it has an end, and says what is left out', () => {
  const trace = Array.from({ length: 6000 }, (_, n) => ({
    ...{ atMs: n, node: 'shop', place: `/durable/order/${n % 40}` },
    what: 'recovered 0 entries after 0',
  }))
  const page = pageOf({ ...given, trace })

  expect(steps(page)).toHaveLength(5000)
  expect(page).toContain('The last 5000 of 6000 steps.')
  expect(page).toContain('</span> 16 others</label>')
  expect(Buffer.byteLength(page)).toBeLessThan(8_000_000)
})
