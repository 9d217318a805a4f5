#!/usr/bin/env node
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { asError, systemClock } from '@ha/core'
import { journalPath, readPlan, shortSocketFolder, socketPath } from '../machine/lab-folder.ts'
import { labError } from '../model/codes.ts'
import { Book } from './book.ts'
import { claimLab } from './claim.ts'
import { serve } from './control-server.ts'
import { Supervisor } from './supervisor.ts'

// Replies that are under way when the lab ends get this long to leave.
const farewellMs = 500

process.umask(0o077)
// A terminal that closes must not take the lab with it.
process.on('SIGHUP', () => undefined)
process.on('SIGINT', () => undefined)
supervise(process.argv[2] ?? '').catch((error: unknown) => {
  console.error(asError(error).stack)
  process.exitCode = 1
})

async function supervise(folder: string): Promise<void> {
  const plan = readPlan(folder)
  const socket = socketPath(folder, process.getuid?.() ?? 0)
  prepareSocketFolder(dirname(socket), folder)
  const claim = claimLab(folder, socket)
  if (claim === undefined) return
  const book = new Book(journalPath(folder))
  const supervisor = new Supervisor(plan, book, systemClock)
  book.record({ type: 'supervised', pid: process.pid })
  supervisor.begin()
  const server = await serve(supervisor, socket)
  await supervisor.done
  const closed = new Promise((resolve) => server.close(resolve))
  await Promise.race([closed, setTimeout(farewellMs)])
  rmSync(socket, { force: true })
  process.exit()
}

// A folder in a place where everybody may write must be ours, or somebody else could answer in our name.
function prepareSocketFolder(path: string, labFolder: string): void {
  if (path === labFolder) return
  const uid = process.getuid?.() ?? 0
  mkdirSync(shortSocketFolder(uid), { recursive: true, mode: 0o700 })
  const { uid: owner, mode } = statSync(path)
  if (owner !== uid || (mode & 0o077) !== 0) {
    throw labError('supervisor-lost', `${path} belongs to another user; type: rm -r ${path}`)
  }
}
