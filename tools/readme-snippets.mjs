// The TypeScript blocks of the READMEs compile against the built packages: `node tools/readme-snippets.mjs`.
// `…` stands for code that is left out. What a block does not declare comes from an earlier block of its README, from its
// package, or is a value of the reader, which may be anything.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

const compilerOptions = {
  module: 'nodenext',
  target: 'esnext',
  lib: ['esnext'],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
}

// TypeScript's "Cannot find name", with and without a suggestion, and "No value exists in scope".
const unknownName = ['TS2304', 'TS2552', 'TS18004']

/** Throws for a block that does not compile. */
export function checkReadmeSnippets() {
  const folder = mkdtempSync(join(tmpdir(), 'ha-snippets-'))
  try {
    link(folder)
    const blocks = readmes().flatMap((readme) => write(folder, readme))
    const before = compile(folder, blocks)
    for (const block of blocks) complete(block, before, blocks)
    const problems = compile(folder, blocks).map(
      ({ block, line, text }) => `${block.readme}, line ${line}: ${text}`,
    )
    if (problems.length > 0) throw new Error(problems.join('\n'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

// The packages and the types of Node.js, as an application has them.
function link(folder) {
  for (const scope of ['@ha', '@types']) mkdirSync(join(folder, 'node_modules', scope), { recursive: true })
  for (const name of readdirSync(join(root, 'packages')))
    symlinkSync(join(root, 'packages', name), join(folder, 'node_modules/@ha', name))
  symlinkSync(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
}

function readmes() {
  const packages = readdirSync(join(root, 'packages')).map((name) => `packages/${name}/README.md`)
  return ['README.md', ...packages]
}

function write(folder, readme) {
  const text = readFileSync(join(root, readme), 'utf8')
  const name = basename(readme.replace('/README.md', '')).replace('.md', '')
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code], index) => {
    const block = {
      readme,
      name: readme === 'README.md' ? undefined : `@ha/${name}`,
      file: join(folder, `${name}-${index}.ts`),
      line: text.slice(0, text.indexOf(code)).split('\n').length,
      code: code.replaceAll('{ … }', '{ void 0 }'),
      head: '',
      names: [...code.matchAll(/^(?:await using|const) (?:(\w+)|\{ (\w+) \})/gm)].map(([, a, b]) => a ?? b),
      index,
    }
    save(block)
    return block
  })
}

// One line before the block, so that lines count from there.
function save({ file, head, code, names }) {
  const exported = names.length === 0 ? 'export {}' : `export { ${[...new Set(names)].join(', ')} }`
  writeFileSync(file, `${head}\n${code}\n${exported}\n`)
}

function compile(folder, blocks) {
  const args = [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false']
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  return stdout
    .split('\n')
    .filter((line) => line.includes('error TS'))
    .map((line) => {
      const [, file, at, code, text] = /^(\S+?)\((\d+),\d+\): error (TS\d+): (.*)$/.exec(line) ?? []
      const block = blocks.find((each) => basename(each.file) === file)
      if (block === undefined) throw new Error(line)
      return { block, line: block.line + Number(at) - 2, code, text, name: /'(\w+)'/.exec(text)?.[1] }
    })
}

function complete(block, problems, blocks) {
  const missing = new Set(
    problems
      .filter((each) => each.block === block && unknownName.includes(each.code))
      .map(({ name }) => name),
  )
  const exported = exportsOf(block.name)
  for (const name of missing) {
    const earlier = blocks.find(
      (each) => each.readme === block.readme && each.index < block.index && each.names.includes(name),
    )
    if (earlier !== undefined)
      block.head += `import { ${name} } from './${basename(earlier.file, '.ts')}.js';`
    else if (exported.includes(name)) block.head += `import { ${name} } from '${block.name}';`
    else block.head += /^[A-Z]/.test(name) ? `type ${name} = any;` : `declare const ${name}: any;`
  }
  save(block)
}

// The names in `export { … }` of the built types.
function exportsOf(name) {
  const file = join(root, 'packages', name?.slice('@ha/'.length) ?? '', 'dist/index.d.ts')
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, names]) =>
    names.split(',').map((each) => each.trim().split(' ').at(-1)),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) checkReadmeSnippets()
