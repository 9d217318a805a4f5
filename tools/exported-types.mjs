// One exported type name, one idea: a type, interface or class is declared once in a package, and two packages export
// the same name only where docs/glossary.md lists it under "In several packages". Each fake of `@ha/testing` counts as
// a package. `node tools/exported-types.mjs` checks it.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const heading = '## In several packages'

/** Throws for a name with two declarations that the glossary does not list, and for a listed one that has only one. */
export function checkExportedTypes() {
  const shared = sharedNames()
  const problems = []
  for (const [name, files] of declarations()) {
    const places = files.map((file) => packageOf(file))
    const distinct = new Set(places)
    if (distinct.size < places.length)
      problems.push(`${name} is declared twice in a package: ${files.join(', ')}`)
    else if (distinct.size > 1 && !shared.has(name))
      problems.push(`${name} is declared in several packages: ${files.join(', ')}; rename one, or list it`)
    if (distinct.size > 1) shared.delete(name)
  }
  for (const name of shared)
    problems.push(`${name} is listed in docs/glossary.md and is not in several packages`)
  if (problems.length > 0) throw new Error(problems.join('\n'))
}

// The names in bold in the section of the glossary.
function sharedNames() {
  const glossary = readFileSync(join(root, 'docs/glossary.md'), 'utf8')
  const section = glossary.split(/^(?=## )/m).find((part) => part.startsWith(heading))
  if (section === undefined) throw new Error(`docs/glossary.md has no section "${heading}"`)
  const entries = section.split('\n').filter((line) => line.startsWith('- '))
  return new Set(entries.flatMap((line) => [...line.matchAll(/\*\*(\w+)\*\*/g)].map(([, name]) => name)))
}

function declarations() {
  const byName = new Map()
  for (const file of sources()) {
    const text = readFileSync(file, 'utf8')
    const path = relative(root, file)
    for (const [, name] of text.matchAll(
      /^export (?:declare )?(?:abstract )?(?:class|interface|type|enum) (\w+)/gm,
    ))
      byName.set(name, [...(byName.get(name) ?? []), path])
  }
  return byName
}

function sources() {
  return readdirSync(join(root, 'packages')).flatMap((name) =>
    readdirSync(join(root, 'packages', name, 'src'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name)),
  )
}

function packageOf(file) {
  const [, name, , folder] = file.split('/')
  return name === 'testing' ? `${name}/${folder}` : name
}

if (process.argv[1] === fileURLToPath(import.meta.url)) checkExportedTypes()
