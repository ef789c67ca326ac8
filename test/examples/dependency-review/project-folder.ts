import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A file's text, a value to be written as JSON, or a symbolic link. */
export type Content = string | object | { readonly link: string }

/** A project in a folder of its own, real files and all. Dispose of it to remove it. */
export class ProjectFolder implements AsyncDisposable {
  readonly #base: string

  private constructor(base: string) {
    this.#base = base
  }

  static async make(files: Readonly<Record<string, Content>>): Promise<ProjectFolder> {
    const folder = new ProjectFolder(await mkdtemp(path.join(tmpdir(), 'dependency-review-')))
    await mkdir(folder.root)
    for (const [name, content] of Object.entries(files)) await folder.put(name, content)
    return folder
  }

  /** The project; its parent is ours too, for what must lie outside. */
  get root(): string {
    return path.join(this.#base, 'project')
  }

  get outside(): string {
    return this.#base
  }

  async put(name: string, content: Content): Promise<void> {
    const file = path.join(this.root, name)
    await mkdir(path.dirname(file), { recursive: true })
    if (typeof content === 'string') await writeFile(file, content)
    else if ('link' in content) await symlink(content.link, file)
    else await writeFile(file, `${JSON.stringify(content, null, 2)}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#base, { recursive: true, force: true })
  }
}

/** A lockfile of version 3 for packages that lie flat, each at version 1.0.0 unless told otherwise. */
export function lockfileOf(packages: Readonly<Record<string, object>>, root: object = {}): object {
  const entries = Object.entries(packages).map(([place, fields]) => {
    const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)
    const resolved = `https://registry.example/${name}/-/${name}-1.0.0.tgz`
    return [place, { version: '1.0.0', resolved, integrity: 'sha512-AAAA', ...fields }]
  })
  return {
    name: 'demo',
    lockfileVersion: 3,
    requires: true,
    packages: Object.fromEntries([['', root], ...entries]) as unknown,
  }
}

export const MIT = `MIT License

Copyright (c) 2020 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction.

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.
`

export const GPL3 = `                    GNU GENERAL PUBLIC LICENSE
                       Version 3, 29 June 2007

 Copyright (C) 2007 Free Software Foundation, Inc.
`

/** The files of a package that nothing is wrong with. */
export function soundPackage(place: string, fields: object = {}): Record<string, Content> {
  const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)
  return {
    [`${place}/package.json`]: { name, version: '1.0.0', license: 'MIT', author: 'A', repository: 'a/b', ...fields },
    [`${place}/index.js`]: 'module.exports = 1\n',
    [`${place}/README.md`]: `# ${name}\n`,
    [`${place}/LICENSE`]: MIT,
  }
}

/** A project of `count` packages and two copies of one, with something wrong in many of them. */
export function manyPackages(count: number): Record<string, Content> {
  const second = 'node_modules/p1/node_modules/p2'
  const names = [...Array.from({ length: count }, (_, index) => `node_modules/p${index}`), second]
  const files: Record<string, Content> = {
    'package.json': { name: 'demo', license: 'MIT' },
    'package-lock.json': lockfileOf(Object.fromEntries(names.map((name) => [name, {}]))),
  }
  for (const [index, name] of names.entries()) {
    Object.assign(files, soundPackage(name, { license: index % 5 === 0 ? 'GPL-3.0-only' : 'MIT' }))
    if (index % 4 === 0) files[`${name}/LICENSE`] = GPL3
  }
  return files
}
