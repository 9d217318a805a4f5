import { quoted, typeName } from '@ha/core/driver'
import { ZookeeperError } from '../errors.ts'

/** Checks the path of a caller. Throws `invalid-path`, which names the problem and its position. */
export function checkPath(path: string, what = 'path'): void {
  const problem = pathProblem(path)
  if (problem !== undefined)
    throw new ZookeeperError('invalid-path', `${what} ${quotePath(path)}: ${problem}`, { path: textOf(path) })
}

function textOf(path: unknown): string {
  return typeof path === 'string' ? path : quoted(path)
}

function pathProblem(path: unknown): string | undefined {
  if (typeof path !== 'string') return `expected a text such as /app/node, got ${typeName(path)}`
  if (!path.startsWith('/')) return 'expected a leading slash'
  if (path === '/') return undefined
  if (path.endsWith('/')) return 'unexpected slash at the end'
  return namesProblem(path)
}

function namesProblem(path: string): string | undefined {
  let position = 1
  for (const name of path.slice(1).split('/')) {
    if (name === '') return `empty name at ${position}`
    if (name === '.' || name === '..') return `the name ${name} at ${position} is not allowed`
    const bad = forbiddenAt(name)
    if (bad !== undefined)
      return `the character ${formatCodeUnit(name, bad)} at ${position + bad} is not allowed`
    position += name.length + 1
  }
  return undefined
}

// Refused by the servers: control characters, surrogates, private use, and the last code units of the first plane.
const forbidden: readonly (readonly [from: number, to: number])[] = [
  [0x0000, 0x001f],
  [0x007f, 0x009f],
  [0xd800, 0xf8ff],
  [0xfff0, 0xffff],
]

function forbiddenAt(name: string): number | undefined {
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index)
    if (forbidden.some(([from, to]) => unit >= from && unit <= to)) return index
  }
  return undefined
}

function formatCodeUnit(name: string, index: number): string {
  return `U+${name.charCodeAt(index).toString(16).toUpperCase().padStart(4, '0')}`
}

function quotePath(path: unknown): string {
  return quoted(typeof path === 'string' && path.length > 120 ? `${path.slice(0, 120)}…` : path)
}

/** The path of the parent; that of `/` is itself. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

/** The last name of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The path of a child. */
export function childOf(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`
}
