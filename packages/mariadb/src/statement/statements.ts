import { type Operation, run } from '@ha/core'
import { type Call, type CallOptions, resolveCall } from '../call-options.ts'
import type { Causality } from '../consistency/causality.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import type { Answer, Statement } from '../driver/statement.ts'
import { fromCore } from '../from-driver.ts'
import { type Result, resultOf } from '../result.ts'
import { type Nature, natureOf } from './nature.ts'
import { beforeReading, readerFor } from './reading.ts'
import { type Ground, OperationRunner } from './runner.ts'

/** Runs single statements, each of which commits by itself. */
export class Statements {
  readonly #ground: Ground
  readonly #causality: Causality
  readonly #defaults: Call

  /** `defaults` are what a call means that says nothing of its own. */
  constructor(ground: Ground, causality: Causality, defaults: Call) {
    this.#ground = ground
    this.#causality = causality
    this.#defaults = defaults
  }

  /** Runs a statement on a server that suits the call; `name` is what the call is called in errors. */
  async run<T>(name: string, statement: Statement, options: CallOptions | undefined): Promise<Result<T>> {
    const call = resolveCall(name, options, this.#defaults)
    const nature = natureOf(statement, call)
    try {
      const answer = nature.harmless
        ? this.#read(name, statement, call, nature)
        : this.#write(name, statement, call, nature)
      return resultOf(await answer)
    } catch (thrown) {
      const error = fromCore(thrown)
      if (error.outcome === 'unknown') this.#ground.onUnknown(name, error)
      throw error
    }
  }

  #read(name: string, statement: Statement, call: Call, nature: Nature): Promise<Answer> {
    const causality = this.#causality
    const runner = this.#runner(readerFor(causality, call), call, nature)
    const operation = operationOf(name, call, nature)
    if (call.consistency === 'eventual') return this.#plain(runner, operation, statement)
    if (call.consistency === 'session') for (const late of causality.late()) runner.avoid(late)
    const work = async (connection: MariadbConnection): Promise<Answer> => {
      await beforeReading(causality, runner, connection, call)
      return connection.run(statement)
    }
    return run(runner, operation, work)
  }

  #write(name: string, statement: Statement, call: Call, nature: Nature): Promise<Answer> {
    const runner = this.#runner(call.route, call, nature)
    const operation = operationOf(name, call, nature)
    if (!this.#causality.keeps) return this.#plain(runner, operation, statement)
    const write = new Write(this.#causality, statement)
    return run(runner, operation, (connection) => write.run(connection)).catch((thrown: unknown) => {
      if (write.answer === undefined) throw thrown
      return write.answer
    })
  }

  #plain(runner: OperationRunner, operation: Operation, statement: Statement): Promise<Answer> {
    return run(runner, operation, (connection) => connection.run(statement))
  }

  #runner(asked: Call['route'], { timeoutMs }: Call, { classify }: Nature): OperationRunner {
    return new OperationRunner(this.#ground, { asked, timeoutMs, classify })
  }
}

function operationOf(
  name: string,
  { timeoutMs, signal }: Call,
  { repeatable, effectIfLost }: Nature,
): Operation {
  return { name, timeoutMs, signal, repeatable, effectIfLost }
}

/** One statement that may write, and its place among what this client wrote. */
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
    const noted = this.#causality.note(connection, written)
    this.#answer = await written
    await noted
    return this.#answer
  }
}
