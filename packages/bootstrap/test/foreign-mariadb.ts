import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { untilItAnswers } from './until-it-answers.ts'

const run = promisify(execFile)
const path = `${process.env['PATH']}:/usr/sbin`
const answerMs = 5_000

/** A MariaDB server that belongs to somebody else. */
export interface StrangerMariadb {
  readonly pid: number
  /** What it answers to a question; rejects when it is gone. */
  ask(): Promise<string>
  end(): Promise<void>
}

/** Starts a server that no lab knows, and waits until it answers. */
export async function startStrangerMariadb(): Promise<StrangerMariadb> {
  const folder = mkdtempSync(join(tmpdir(), 'stranger-'))
  chmodSync(folder, 0o711)
  const [data, socket] = [join(folder, 'data'), `--socket=${join(folder, 'data', 'sock')}`]
  const options = { env: { ...process.env, PATH: path } }
  const user = process.getuid?.() === 0 ? ['--user=mysql'] : []
  await run('mariadb-install-db', ['--no-defaults', `--datadir=${data}`, ...user], options)
  const child = spawn(
    'mariadbd',
    ['--no-defaults', `--datadir=${data}`, socket, '--skip-networking', ...user],
    { ...options, stdio: 'ignore' },
  )
  const asked = { ...options, timeout: answerMs }
  const ask = async (): Promise<string> =>
    (await run('mariadb', ['--no-defaults', socket, '-BN', '-e', "SELECT 'alive'"], asked)).stdout.trim()
  await untilItAnswers(ask)
  return {
    pid: child.pid ?? 0,
    ask,
    async end() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
