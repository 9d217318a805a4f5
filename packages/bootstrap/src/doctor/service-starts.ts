import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

// invoke-rc.d and deb-systemd-invoke ask this program whether a service may be started; 101 is no.
const mark = '# Written by hactl while it installs servers; may be removed.'

/** In the environment of the package manager, and so of the maintainer scripts that it runs. */
export const installMark = 'HACTL_INSTALL'

/** Answers no to nobody but the maintainer scripts of our own installation: left behind, it does no harm. */
const policy = `#!/bin/sh
${mark}
test -n "$${installMark}" && exit 101
exit 0
`

/**
 * Forbids the service starts of an installation that carries {@link installMark}; the returned function takes that
 * back. A policy of the administrator's is left to decide; one of ours, left by a process that was killed, is not.
 */
export function denyServiceStarts(path: string): () => void {
  if (existsSync(path) && !readFileSync(path, 'utf8').includes(mark)) return () => undefined
  writeFileSync(path, policy)
  chmodSync(path, 0o755)
  return () => rmSync(path, { force: true })
}
