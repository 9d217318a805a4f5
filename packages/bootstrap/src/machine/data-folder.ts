import { createHash } from 'node:crypto'
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { longestSocketPath, shortSocketFolder } from './lab-folder.ts'

// Where the system keeps what services write.
const rootDataFolder = '/var/lib/hactl'
// A node's name has up to 31 letters.
const longestSocketName = '/data/'.length + 31 + '.sock'.length

/**
 * Where servers of a lab that run as another user keep their data: beside all users' homes when root starts the lab,
 * since nobody else may pass those; in the lab's folder otherwise, or under a short name when their sockets would not
 * fit there.
 */
export function dataFolder(folder: string, uid: number): string {
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 16)
  if (uid === 0) return join(rootDataFolder, digest)
  if (Buffer.byteLength(folder) + longestSocketName <= longestSocketPath) return join(folder, 'data')
  return join(shortSocketFolder(uid), digest)
}

/** Removes the data of the lab in this folder, wherever they are. */
export function removeData(folder: string, uid: number = process.getuid?.() ?? 0): void {
  rmSync(dataFolder(folder, uid), { recursive: true, force: true, maxRetries: 5 })
  if (uid === 0 && existsSync(rootDataFolder) && readdirSync(rootDataFolder).length === 0)
    rmdirSync(rootDataFolder)
}
