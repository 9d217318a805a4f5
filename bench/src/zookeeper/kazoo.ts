import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Failure } from '../harness/noted-op.ts'
import { registerPath } from './contents.ts'
import type { Contestant, ContestantMaker, ContestantSetup } from './contestant.ts'

// Not compiled: it stays beside the sources.
const program = fileURLToPath(new URL('../../src/zookeeper/kazoo-client.py', import.meta.url))

const python = 'python3'

/** Python's client, where Python has it. */
export const kazoo: ContestantMaker = {
  name: 'kazoo',
  settings: 'defaults; the watch is set again at each event, the ephemeral is made once',
  start: async (setup) => contestantOn(await KazooProcess.start(setup), setup),
}

/** Why there is no kazoo to be measured, in one line; undefined when there is. */
export async function missingKazoo(): Promise<string | undefined> {
  const found = promisify(execFile)(python, ['-c', 'import kazoo'])
  return found.then(
    () => undefined,
    () => `${python} has no kazoo; type: pip install kazoo`,
  )
}

function contestantOn(client: KazooProcess, { places }: ContestantSetup): Contestant {
  // Asked now and then: it lives in another process.
  const asking = setInterval(() => void client.ask('attached', '').catch(() => undefined), 100)
  return {
    create: (id) => client.ask('create', `${places.creates}/c-${id}`),
    read: (register) => client.ask('read', registerPath(places, register)),
    explain,
    attachedTo: () => client.attached,
    async close() {
      clearInterval(asking)
      client.end()
    },
  }
}

function explain(error: unknown): Failure {
  return { outcome: 'unknown', error: (error as Error).message }
}

interface Told {
  readonly ready?: boolean
  readonly attached?: string | null
  readonly settled?: number
  readonly error?: string | null
  readonly event?: string
  readonly state?: string
  readonly id?: string
}

class KazooProcess {
  attached: string | undefined
  readonly #child = spawn(python, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  readonly #open = new Map<number, { resolve(): void; reject(error: Error): void }>()
  readonly #onEvent: ContestantSetup['onEvent']
  readonly #kill = (): unknown => this.#child.kill('SIGKILL')
  #number = 0

  private constructor(onEvent: ContestantSetup['onEvent']) {
    this.#onEvent = onEvent
    // Whoever writes to one that has ended learns it from what is open.
    this.#child.stdin.on('error', () => undefined)
    // Python that stays behind would hold its session for ever.
    process.on('exit', this.#kill)
  }

  static async start({ onEvent, ...setup }: ContestantSetup): Promise<KazooProcess> {
    const client = new KazooProcess(onEvent)
    await new Promise<void>((resolve, reject) => {
      client.#child.once('exit', (code) => reject(new Error(`kazoo ended with code ${code}`)))
      createInterface({ input: client.#child.stdout }).on('line', (line) => {
        const told = JSON.parse(line) as Told
        client.#hear(told)
        if (told.ready === true) resolve()
      })
      client.#child.stdin.write(`${JSON.stringify(setup)}\n`)
    })
    return client
  }

  ask(what: string, path: string): Promise<void> {
    const number = ++this.#number
    return new Promise((resolve, reject) => {
      this.#open.set(number, { resolve, reject })
      this.#child.stdin.write(`${JSON.stringify({ number, do: what, path })}\n`)
    })
  }

  end(): void {
    process.off('exit', this.#kill)
    this.#kill()
  }

  #hear({ settled, error, attached, event, state, id }: Told): void {
    if (attached !== undefined) this.attached = attached ?? undefined
    if (event !== undefined) this.#onEvent(event, { state, id, error: error ?? undefined })
    if (settled === undefined) return
    const asked = this.#open.get(settled)
    this.#open.delete(settled)
    if (error === null || error === undefined) asked?.resolve()
    else asked?.reject(new Error(error))
  }
}
