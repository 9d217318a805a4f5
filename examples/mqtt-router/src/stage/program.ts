import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

// Longer than a client of ZooKeeper takes to end its session, twice: a supervisor ends its gateway after itself.
const endMs = 8_000

/** A process of the system, which prints where this one does. */
export class Program {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  /** Starts a script, which is named from the folder of what was built. */
  constructor(script: string, environment: Readonly<Record<string, string>>) {
    const path = fileURLToPath(new URL(`../${script}`, import.meta.url))
    this.#child = fork(path, { env: { ...process.env, ...environment } })
    this.#exited = once(this.#child, 'exit')
  }

  async close(): Promise<void> {
    this.#child.kill('SIGTERM')
    const tooLate = setTimeout(() => this.#child.kill('SIGKILL'), endMs)
    await this.#exited
    clearTimeout(tooLate)
  }
}
