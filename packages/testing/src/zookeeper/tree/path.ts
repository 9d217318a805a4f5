import { errorCode, KeeperException } from '../wire/errors.ts'

/** The path of the node above; the root has none. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

/** A path and those of all nodes above it, the root last. */
export function selfAndAncestors(path: string): readonly string[] {
  return path === '/' ? [path] : [path, ...selfAndAncestors(parentOf(path))]
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Throws -8 unless this can be the path of a node. */
export function checkPath(path: string): void {
  if (path === '/') return
  const parts = path.split('/')
  const isRooted = parts[0] === '' && parts.length > 1
  if (!isRooted || parts.slice(1).some(isImpossible) || hasForbidden(path))
    throw new KeeperException(errorCode.badArguments)
}

function isImpossible(part: string): boolean {
  return part === '' || part === '.' || part === '..'
}

// Control characters, surrogates and what lies behind the private use area, as the servers have it.
function hasForbidden(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  return /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/.test(path)
}
