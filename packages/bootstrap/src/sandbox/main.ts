#!/usr/bin/env node
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { asError } from '@ha/core/driver'
import { runCommand } from '../machine/run-command.ts'
import { labError } from '../model/errors.ts'
import { createRouter } from './network-scripts.ts'
import { clientsFile, exitStatus, ownNamespace, sandboxVariable } from './sandbox.ts'

// Takes some milliseconds on an idle machine.
const setupTimeoutMs = 30_000

const [folder = '', file = '', ...args] = process.argv.slice(2)
run().then(
  (status) => process.exit(status),
  (error: unknown) => {
    console.error(`hactl: ${asError(error).message}`)
    process.exit(1)
  },
)

/** Creates the network of the sandbox and runs the command in it. */
async function run(): Promise<number> {
  const { status, stderr } = await runCommand(createRouter(folder), { timeoutMs: setupTimeoutMs })
  if (status !== 0) throw labError('platform-unfit', `the sandbox could not be created: ${stderr.trim()}`)
  writeFileSync(clientsFile(folder), ownNamespace())
  const env = { ...process.env, [sandboxVariable]: folder, HACTL_HOME: folder }
  const child = spawn(file, args, { stdio: 'inherit', env })
  const [code, name] = await once(child, 'close')
  return exitStatus(code, name)
}
