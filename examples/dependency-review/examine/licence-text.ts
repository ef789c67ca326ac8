/**
 * Recognises the common licences by phrases that only their texts have. A file may hold several (a dual licence, or the
 * notices of bundled code): all are reported, in the order of the file. Ids are SPDX's, without `-only` and `-or-later`,
 * which a text does not tell.
 */

interface Fingerprint {
  readonly id: string
  /** All must occur, in normal form (see `normalise`). The first one gives the line. */
  readonly has: readonly string[]
  readonly lacks?: readonly string[]
}

const published = 'as published by the free software foundation either version'

const fingerprints: readonly Fingerprint[] = [
  {
    id: 'MIT',
    has: [
      'permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files',
      'the above copyright notice and this permission notice',
    ],
  },
  {
    id: 'MIT-0',
    has: [
      'permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files',
    ],
    lacks: ['the above copyright notice and this permission notice'],
  },
  {
    id: 'ISC',
    has: [
      'with or without fee is hereby granted provided that the above copyright notice and this permission notice appear',
    ],
  },
  {
    id: '0BSD',
    has: ['with or without fee is hereby granted'],
    lacks: ['with or without fee is hereby granted provided that'],
  },
  {
    id: 'BSD-4-Clause',
    has: ['redistribution and use in source and binary forms', 'all advertising materials mentioning features'],
  },
  {
    id: 'BSD-3-Clause',
    has: ['redistribution and use in source and binary forms', 'be used to endorse or promote'],
    lacks: ['all advertising materials mentioning features'],
  },
  {
    id: 'BSD-2-Clause',
    has: ['redistribution and use in source and binary forms'],
    lacks: ['be used to endorse or promote'],
  },
  { id: 'Apache-2.0', has: ['apache license version 2 0'] },
  { id: 'MPL-2.0', has: ['mozilla public license version 2 0'] },
  { id: 'MPL-1.1', has: ['mozilla public license version 1 1'] },
  // Other licences mention these by name ("secondary licences"), so the date or the notice's wording is part of the phrase.
  { id: 'AGPL-3.0', has: ['gnu affero general public license version 3 19 november 2007'] },
  { id: 'AGPL-3.0', has: [`terms of the gnu affero general public license ${published} 3`] },
  { id: 'LGPL-3.0', has: ['gnu lesser general public license version 3 29 june 2007'] },
  { id: 'LGPL-3.0', has: [`terms of the gnu lesser general public license ${published} 3`] },
  { id: 'LGPL-2.1', has: ['gnu lesser general public license version 2 1 february 1999'] },
  { id: 'LGPL-2.1', has: [`terms of the gnu lesser general public license ${published} 2 1`] },
  { id: 'GPL-3.0', has: ['gnu general public license version 3 29 june 2007'] },
  { id: 'GPL-3.0', has: [`terms of the gnu general public license ${published} 3`] },
  { id: 'GPL-2.0', has: ['gnu general public license version 2 june 1991'] },
  { id: 'GPL-2.0', has: [`terms of the gnu general public license ${published} 2`] },
  { id: 'EUPL-1.2', has: ['european union public licence v 1 2'] },
  { id: 'EPL-2.0', has: ['eclipse public license v 2 0'] },
  { id: 'EPL-1.0', has: ['eclipse public license v 1 0'] },
  { id: 'CDDL-1.0', has: ['common development and distribution license cddl version 1 0'] },
  { id: 'OSL-3.0', has: ['open software license v 3 0'] },
  { id: 'SSPL-1.0', has: ['server side public license version 1'] },
  { id: 'BUSL-1.1', has: ['business source license 1 1'] },
  { id: 'Elastic-2.0', has: ['elastic license 2 0'] },
  { id: 'PolyForm-Noncommercial-1.0.0', has: ['polyform noncommercial license 1 0 0'] },
  { id: 'Commons-Clause', has: ['commons clause license condition'] },
  { id: 'Unlicense', has: ['this is free and unencumbered software released into the public domain'] },
  { id: 'CC0-1.0', has: ['cc0 1 0 universal'] },
  { id: 'CC-BY-4.0', has: ['attribution 4 0 international'] },
  { id: 'CC-BY-SA-4.0', has: ['attribution sharealike 4 0 international'] },
  { id: 'CC-BY-NC-4.0', has: ['attribution noncommercial 4 0 international'] },
  { id: 'CC-BY-NC-SA-4.0', has: ['attribution noncommercial sharealike 4 0 international'] },
  { id: 'CC-BY-3.0', has: ['creative commons attribution 3 0'] },
  { id: 'BlueOak-1.0.0', has: ['blue oak model license'] },
  { id: 'Python-2.0', has: ['python software foundation license version 2'] },
  { id: 'Artistic-2.0', has: ['the artistic license 2 0'] },
  { id: 'BSL-1.0', has: ['boost software license version 1 0'] },
  { id: 'OFL-1.1', has: ['sil open font license version 1 1'] },
  { id: 'Unicode-3.0', has: ['unicode license v3'] },
  { id: 'WTFPL', has: ['do what the fuck you want to public license'] },
  {
    id: 'Zlib',
    has: ['the origin of this software must not be misrepresented', 'in no event will the authors be held liable'],
  },
]

export interface RecognisedLicence {
  readonly id: string
  readonly line: number
}

/** The licences whose texts or headers occur in `text`, each once, in order of their lines. */
export function recogniseLicences(text: string): readonly RecognisedLicence[] {
  const starts: number[] = []
  let normal = ''
  for (const line of text.split(/\r\n|[\n\r\u2028]/)) {
    starts.push(normal.length)
    const words = normalise(line)
    if (words !== '') normal += `${words} `
  }
  const found = new Map<string, number>()
  for (const { id, has, lacks } of fingerprints) {
    const at = has[0] === undefined ? -1 : normal.indexOf(has[0])
    if (at === -1 || !has.every((phrase) => normal.includes(phrase))) continue
    if (lacks?.some((phrase) => normal.includes(phrase)) === true || found.has(id)) continue
    found.set(id, starts.findLastIndex((start) => start <= at) + 1)
  }
  return [...found].map(([id, line]) => ({ id, line })).sort((a, b) => a.line - b.line || (a.id < b.id ? -1 : 1))
}

/** Lower case words, one space between: layout, quotation marks, comment frames and "(c)" vary from copy to copy. */
function normalise(line: string): string {
  return line
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim()
}

const licenceName = /^(?:[\w-]+[-_.])?(?:licen[cs]es?|copying|unlicense)(?:[-_.].*)?$/i
const notText = /\.(?:js|cjs|mjs|ts|cts|mts|json|map|css|png|svg|jpg|gif|woff2?|node|wasm|py|sh|ya?ml)$/i

/** Whether a file's name says that it holds a licence: LICENSE, LICENCE.md, COPYING.LESSER, MIT-LICENSE.txt … */
export function isLicenceFile(name: string): boolean {
  return licenceName.test(name) && !notText.test(name)
}
