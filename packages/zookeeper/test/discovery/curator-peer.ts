import { type ChildProcessWithoutNullStreams, execFile, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const sources = join(import.meta.dirname, 'java')

/** Whether this machine can fetch and run a Java program. */
export function hasJava(): boolean {
  const runs = (command: string, flag: string): boolean => spawnSync(command, [flag]).status === 0
  return runs('mvn', '--version') && runs('javac', '-version')
}

/** An instance as seen by a Java peer. */
export interface Described {
  readonly id: string
  readonly address: string
  readonly port: number | null
  readonly enabled: boolean
  readonly uri: string
  readonly payload: unknown
}

/** A Java process that uses Curator's service discovery. */
export class CuratorPeer {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>

  /** `kind` selects the class of its payloads: any, or that of Spring Cloud. */
  static async start(connect: string, service: string, kind: 'plain' | 'spring'): Promise<CuratorPeer> {
    const jars = await fetchLibraries()
    const program = join(sources, 'CuratorPeer.java')
    const args = ['-Xmx64m', '-cp', join(jars, '*'), program, connect, '/services', service, kind]
    return new CuratorPeer(spawn('java', args))
  }

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    child.stderr.resume()
  }

  async list(): Promise<readonly Described[]> {
    return (await this.#ask('list')) as readonly Described[]
  }

  /** The instance that Curator's own provider picks; without an id when there is none. */
  async pick(): Promise<Partial<Described>> {
    return (await this.#ask('pick')) as Partial<Described>
  }

  async register(id: string, port: number): Promise<void> {
    await this.#ask(`register ${id} ${port}`)
  }

  async unregister(): Promise<void> {
    await this.#ask('unregister')
  }

  /** Ends the process after its answer. */
  async close(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.stdin.end()
    await exited
  }

  async #ask(command: string): Promise<unknown> {
    this.#child.stdin.write(`${command}\n`)
    const { value, done } = await this.#answers.next()
    if (done === true) throw new Error(`the peer in Java ended at '${command}'`)
    const answer: unknown = JSON.parse(value)
    if (typeof answer === 'object' && answer !== null && 'failed' in answer)
      throw new Error(String(answer.failed))
    return answer
  }
}

/** The folder with the libraries of the pom, fetched once into the user's cache; another pom is another folder. */
export async function fetchLibraries(): Promise<string> {
  const pom = join(sources, 'pom.xml')
  const version = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
    .slice(0, 12)
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ha-zookeeper-curator')
  const jars = join(cache, version)
  const isThere = await readFile(join(jars, 'pom.xml')).catch(() => undefined)
  if (isThere !== undefined) return jars
  const unfinished = join(cache, `unfinished-${process.pid}`)
  await mkdir(unfinished, { recursive: true })
  const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${unfinished}`]
  await promisify(execFile)('mvn', [
    '-B',
    '-q',
    '-f',
    pom,
    `-Dmaven.repo.local=${join(cache, 'maven')}`,
    ...copy,
  ])
  await copyFile(pom, join(unfinished, 'pom.xml'))
  await rm(jars, { recursive: true, force: true })
  await rename(unfinished, jars)
  return jars
}
