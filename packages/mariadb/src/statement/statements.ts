import { run } from '@ha/core'
import type { Call } from '../call-options.ts'
import type { Causality } from '../consistency/causality.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import type { Answer, Statement } from '../driver/statement.ts'
import { fromCore } from '../from-driver.ts'
import { natureOf } from './nature.ts'
import { beforeReading, readerFor } from './reading.ts'
import { type Ground, OperationRunner } from './runner.ts'

/** Runs single statements, each of which commits by itself. */
export class Statements {
  readonly #ground: Ground
  readonly #causality: Causality

  constructor(ground: Ground, causality: Causality) {
    this.#ground = ground
    this.#causality = causality
  }

  /** Runs a statement on a server that suits the call; `name` is what the call is called in errors. */
  async run(name: string, statement: Statement, call: Call): Promise<Answer> {
    const { harmless, repeatable, effect, classify } = natureOf(statement, call)
    const asked = harmless ? readerFor(this.#causality, call) : call.route
    const { timeoutMs, signal } = call
    const runner = new OperationRunner(this.#ground, { asked, timeoutMs, classify })
    if (harmless && call.consistency === 'session')
      for (const name of this.#causality.late()) runner.avoid(name)
    const write = new Write(this.#causality, statement)
    const work = harmless
      ? (connection: MariadbConnection) => this.#read(runner, connection, statement, call)
      : (connection: MariadbConnection) => write.run(connection)
    try {
      return await run(runner, { name, timeoutMs, signal, repeatable, effectIfLost: () => effect }, work)
    } catch (thrown) {
      if (write.answer !== undefined) return write.answer
      const error = fromCore(thrown)
      if (error.outcome === 'unknown') this.#ground.onUnknown(name, error)
      throw error
    }
  }

  async #read(
    runner: OperationRunner,
    connection: MariadbConnection,
    statement: Statement,
    call: Call,
  ): Promise<Answer> {
    if (call.consistency !== 'eventual') await beforeReading(this.#causality, runner, connection, call)
    return connection.run(statement)
  }
}

/** One statement that may write, with the question for its position behind it. */
class Write {
  readonly #causality: Causality
  readonly #statement: Statement
  #answer: Answer | undefined

  constructor(causality: Causality, statement: Statement) {
    this.#causality = causality
    this.#statement = statement
  }

  /** What the server acknowledged: whatever becomes of the question behind it changes nothing. */
  get answer(): Answer | undefined {
    return this.#answer
  }

  async run(connection: MariadbConnection): Promise<Answer> {
    if (this.#answer !== undefined) return this.#answer
    const written = connection.run(this.#statement)
    const noted = this.#causality.note(connection)
    this.#answer = await written
    await noted
    return this.#answer
  }
}
