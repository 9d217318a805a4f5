import { randomInt } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { labError } from '../model/codes.ts'
import type { Plan, PlannedFile } from '../model/plan.ts'

/** Writes what the plan asks for. A secret is drawn here and exists nowhere else. */
export function writeLabFiles(plan: Pick<Plan, 'folder' | 'files'>): void {
  for (const file of plan.files) {
    const path = join(plan.folder, file.path)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeLabFile(path, file)
  }
}

/** Refuses to go on when a secret file is open to others or is not there: the server would, too, less clearly. */
export function checkSecrets(plan: Pick<Plan, 'folder' | 'files'>): void {
  for (const file of plan.files.filter((planned) => planned.secret)) {
    const path = join(plan.folder, file.path)
    if (!existsSync(path)) throw labError('secret-mode', `${path} is gone; type: hactl down, and start again`)
    const mode = statSync(path).mode & 0o777
    if ((mode & 0o077) !== 0) {
      const shown = mode.toString(8).padStart(4, '0')
      throw labError(
        'secret-mode',
        `${path} has mode ${shown}, so others can read the secret; type: chmod 0400 ${path}`,
      )
    }
  }
}

function writeLabFile(path: string, file: PlannedFile): void {
  switch (file.content.kind) {
    case 'link':
      symlinkSync(file.content.target, path)
      return
    case 'text':
      writeFileSync(path, file.content.text, { mode: file.mode })
      chmodSync(path, file.mode)
      return
    case 'random':
      writeFileSync(path, randomLetters(file.content.length), { mode: file.mode })
      chmodSync(path, file.mode)
  }
}

function randomLetters(length: number): string {
  return Array.from({ length }, () => String.fromCharCode(65 + randomInt(26))).join('')
}
