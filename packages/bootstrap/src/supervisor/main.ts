#!/usr/bin/env node
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { systemClock } from '@ha/core'
import { asError } from '@ha/core/driver'
import { Journal } from '../lab/journal.ts'
import { acquireLabLock } from '../lab/lab-lock.ts'
import {
  dataFolder,
  findPlan,
  homeLinkOf,
  journalPath,
  planPath,
  prepareSocketFolder,
  restoreHomeLink,
  shortSocketFolder,
  socketPath,
} from '../machine/lab-folder.ts'
import { claimPorts } from '../machine/ports.ts'
import { labError } from '../model/errors.ts'
import { portsOf } from '../model/network.ts'
import { startControlServer } from './control-server.ts'
import { Supervisor } from './supervisor.ts'

// The time that replies in progress get when the lab ends.
const closeGraceMs = 500

process.umask(0o077)
// Closing the terminal must not end the lab.
process.on('SIGHUP', () => undefined)
process.on('SIGINT', () => undefined)
supervise(process.argv[2] ?? '').catch((error: unknown) => {
  console.error(asError(error).stack)
  // A supervisor that cannot do its work must not hold the lab: the next command starts another one, which heals
  // expired faults.
  process.exit(1)
})

async function supervise(folder: string): Promise<void> {
  const plan = findPlan(folder)
  if (plan === undefined) throw labError('supervisor-lost', `${planPath(folder)} cannot be read`)
  const uid = process.getuid?.() ?? 0
  const socket = socketPath(folder, uid)
  const short = shortSocketFolder(uid)
  if ([socket, dataFolder(folder, uid)].some((path) => dirname(path) === short))
    prepareSocketFolder(short, uid)
  const lock = acquireLabLock(folder, socket)
  if (lock === undefined) return
  // Held for the life of the supervisor. A supervisor that comes after a crash may find that another lab has the ports;
  // the servers that it starts then report so.
  await claimPorts('lab', portsOf(plan))
  const journal = new Journal(journalPath(folder))
  const supervisor = new Supervisor(plan, journal, systemClock)
  journal.record({ type: 'supervised', pid: process.pid })
  supervisor.start()
  const closeServer = await keepListening(supervisor, folder, socket)
  await supervisor.done
  await Promise.race([closeServer(), setTimeout(closeGraceMs)])
  rmSync(socket, { force: true })
  process.exit()
}

const lookAtSocketMs = 1000

// The system may clean its folder for temporary files while the lab runs. What the lab has there is created again.
async function keepListening(
  supervisor: Supervisor,
  folder: string,
  socket: string,
): Promise<() => Promise<unknown>> {
  const homeLink = homeLinkOf(folder)
  const servers = [await startControlServer(supervisor, socket)]
  let isStarting = false
  const restore = async (): Promise<void> => {
    if (homeLink !== undefined) restoreHomeLink(homeLink)
    if (isStarting || existsSync(socket)) return
    isStarting = true
    try {
      if (dirname(socket) !== folder) prepareSocketFolder(dirname(socket), process.getuid?.() ?? 0)
      servers.push(await startControlServer(supervisor, socket))
    } finally {
      isStarting = false
    }
  }
  // A folder that cannot be created now is tried again a second later.
  const looking = setInterval(
    () => void restore().catch((error: unknown) => console.error(error)),
    lookAtSocketMs,
  )
  return () => {
    clearInterval(looking)
    return Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}
