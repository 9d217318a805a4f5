import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Lab } from '@ha/bootstrap'
import { untilItAnswers } from '../until-it-answers.ts'

// A server that is asked while it starts takes the connection and may never answer on it: 2 of 60 starts on a busy machine.
const answerMs = 1_000

/** A ZooKeeper server that belongs to somebody else. */
export interface StrangerZookeeper {
  /** What it answers when it is asked whether it is well; rejects when it is gone. */
  ask(): Promise<string>
  end(): Promise<void>
}

/** Starts a server that no lab knows, with the Java and the jars of the lab, and waits until it answers. */
export async function startStrangerZookeeper(lab: Lab): Promise<StrangerZookeeper> {
  const folder = mkdtempSync(join(tmpdir(), 'stranger-'))
  const conf = join(folder, 'zoo.cfg')
  const port = await freePort()
  const settings = ['tickTime=2000', `dataDir=${folder}`, `clientPort=${port}`, 'admin.enableServer=false']
  writeFileSync(
    conf,
    `${[...settings, 'clientPortAddress=127.0.0.1', '4lw.commands.whitelist=ruok'].join('\n')}\n`,
  )
  const [java, classPath] = javaOf(lab)
  const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain'
  const child = spawn(java, ['-Xmx64m', '-cp', classPath, main, conf], { cwd: folder, stdio: 'ignore' })
  const ask = (): Promise<string> => answer(port)
  await untilItAnswers(ask)
  return {
    ask,
    async end() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function javaOf({ folder }: Lab): readonly [java: string, classPath: string] {
  const { argv } = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')).processes[0]
  return [argv[0], argv[argv.indexOf('-cp') + 1]]
}

async function answer(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.setTimeout(answerMs, () => socket.destroy(new Error(`no answer in ${answerMs} ms`)))
  socket.setEncoding('utf8').write('ruok')
  let said = ''
  for await (const chunk of socket) said += chunk
  return said
}
