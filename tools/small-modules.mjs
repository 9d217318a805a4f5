// Modules that are too small to be one: a file under 100 lines that only one other file imports belongs into that file.
// `node tools/small-modules.mjs` checks the lists of offenders, which may only get shorter; `--write` rewrites them.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lists = join(root, 'tools/lint/small-modules')
const mostLines = 100

/** The packages whose sources are looked at. */
export const packages = readdirSync(join(root, 'packages')).sort()

/** The small modules of a package, as paths below the root, in order. */
export function smallModules(name) {
  const files = sources(join(root, 'packages', name, 'src'))
  const importers = new Map(files.map((file) => [file, new Set()]))
  for (const file of files) for (const target of imports(file)) importers.get(target)?.add(file)
  return files
    .filter((file) => importers.get(file).size === 1 && lineCount(file) < mostLines)
    .map((file) => relative(root, file))
    .sort()
}

/** Today's offenders of a package: the list may only get shorter. */
export function offenders(name) {
  const file = join(lists, `${name}.json`)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
}

/** Small modules that stay, each with its reason. */
export function allowed() {
  return JSON.parse(readFileSync(join(lists, 'allowed.json'), 'utf8'))
}

function sources(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
}

function imports(file) {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, path]) =>
    resolve(dirname(file), path),
  )
}

function lineCount(file) {
  return readFileSync(file, 'utf8').split('\n').length - 1
}

/** Throws when a package has a small module that is not listed, or a list names one that is none any more. */
export function checkSmallModules() {
  const known = allowed()
  const problems = []
  const all = packages.flatMap((name) => smallModules(name))
  for (const name of packages) {
    const listed = offenders(name)
    const found = smallModules(name).filter((file) => known[file] === undefined)
    for (const file of found.filter((each) => !listed.includes(each)))
      problems.push(`${file}: under ${mostLines} lines with one importer; move it into that file`)
    for (const file of listed.filter((each) => !found.includes(each)))
      problems.push(
        `${file}: no offender any more; take it off the list (node tools/small-modules.mjs --write)`,
      )
  }
  for (const file of Object.keys(known).filter((each) => !all.includes(each)))
    problems.push(`${file}: allowed, but no small module any more`)
  if (problems.length > 0) throw new Error(problems.join('\n'))
}

function writeOffenders() {
  const known = allowed()
  for (const name of packages) {
    const found = smallModules(name).filter((file) => known[file] === undefined)
    writeFileSync(join(lists, `${name}.json`), `${JSON.stringify(found, undefined, 2)}\n`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) writeOffenders()
  else checkSmallModules()
}
