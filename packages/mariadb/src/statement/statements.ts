import { type Operation, run, type Verdict } from '@ha/core'
import { checkSessionUse } from '../arguments.ts'
import type { ClientContext } from '../context.ts'
import { type Result, resultOf } from '../driver/codec.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import { classifyCommit, DriverError } from '../driver/error-classification.ts'
import type { Answer, Statement } from '../driver/statement.ts'
import { type StageOutcomes, toMariadbError } from '../errors.ts'
import {
  type CallOptions,
  type ResolvedCall,
  type RowsAsArrayOptions,
  resolveCall,
} from '../options/call-options.ts'
import { classifyRead, ensureConsistency, type ReadYourWrites, readTarget } from '../read-your-writes.ts'
import { isAtomic, isReadOnly } from '../sql-text.ts'
import { OperationRunner } from './operation-runner.ts'

/** Runs single statements in autocommit mode. */
export class Statements {
  readonly #context: ClientContext
  readonly #defaults: ResolvedCall

  /** `defaults` apply to calls without options. */
  constructor(context: ClientContext, defaults: ResolvedCall) {
    this.#context = context
    this.#defaults = defaults
  }

  /** Runs a statement on a server that the call allows; `name` is the name of the call in errors. */
  async run<T>(
    name: string,
    given: () => Statement,
    options: CallOptions | RowsAsArrayOptions | undefined,
  ): Promise<Result<T>> {
    const asked = given()
    checkSessionUse(name, asked, (text) => this.#context.outcomes.warn(text))
    const call = options === undefined ? this.#defaults : resolveCall(name, options, this.#defaults)
    const statement = call.rowsAsArray ? { ...asked, rowsAsArray: true } : asked
    const traits = traitsOf(statement, call)
    try {
      const answer = traits.readOnly
        ? this.#read(name, statement, call, traits)
        : this.#write(name, statement, call, traits)
      return resultOf(await answer)
    } catch (thrown) {
      const error = toMariadbError(thrown)
      if (error.outcome === 'unknown') this.#context.outcomes.reportUnknownOutcome(name, error)
      throw error
    }
  }

  #read(name: string, statement: Statement, call: ResolvedCall, traits: StatementTraits): Promise<Answer> {
    const operation = operationOf(name, call, traits)
    if (call.consistency === 'eventual')
      return this.#runOnce(this.#runner(call.route, call, traits), operation, statement)
    const { readYourWrites } = this.#context
    const runner = this.#runner(readTarget(readYourWrites, call), call, traits)
    if (call.consistency === 'session') for (const late of readYourWrites.lagging()) runner.avoid(late)
    const work = async (connection: MariadbConnection): Promise<Answer> => {
      await ensureConsistency(readYourWrites, runner, connection, call)
      return connection.run(statement)
    }
    return run(runner, operation, work)
  }

  #write(name: string, statement: Statement, call: ResolvedCall, traits: StatementTraits): Promise<Answer> {
    const runner = this.#runner(call.route, call, traits)
    const operation = operationOf(name, call, traits)
    const { readYourWrites } = this.#context
    if (!readYourWrites.tracksWrites) return this.#runOnce(runner, operation, statement)
    const write = new TrackedWrite(readYourWrites, statement)
    return run(runner, operation, (connection) => write.run(connection)).catch((thrown: unknown) => {
      if (write.answer === undefined) throw thrown
      return write.answer
    })
  }

  #runOnce(runner: OperationRunner, operation: Operation, statement: Statement): Promise<Answer> {
    return run(runner, operation, (connection) => connection.run(statement))
  }

  #runner(
    target: ResolvedCall['route'],
    { timeoutMs }: ResolvedCall,
    { classify }: StatementTraits,
  ): OperationRunner {
    return new OperationRunner(this.#context, { target, timeoutMs, classify })
  }
}

function operationOf(
  name: string,
  { timeoutMs, signal }: ResolvedCall,
  { repeatable, effectIfLost }: StatementTraits,
): Operation {
  return { name, timeoutMs, signal, repeatable, effectIfLost }
}

/** A write that read-your-writes tracks. */
class TrackedWrite {
  readonly #readYourWrites: ReadYourWrites
  readonly #statement: Statement
  #answer: Answer | undefined

  constructor(readYourWrites: ReadYourWrites, statement: Statement) {
    this.#readYourWrites = readYourWrites
    this.#statement = statement
  }

  /** The acknowledged result. A failure of the position query afterwards does not change it. */
  get answer(): Answer | undefined {
    return this.#answer
  }

  async run(connection: MariadbConnection): Promise<Answer> {
    if (this.#answer !== undefined) return this.#answer
    const written = connection.run(this.#statement)
    const noted = this.#readYourWrites.noteWrite(connection, written)
    this.#answer = await written
    await noted
    return this.#answer
  }
}

/** How an autocommit statement may be repeated, and what its failure means. */
interface StatementTraits {
  readonly readOnly: boolean
  readonly repeatable: boolean
  readonly effectIfLost: () => Verdict['effect']
  readonly classify: (error: unknown) => Verdict
}

/** The traits of a statement, given the options of its call. */
export function traitsOf({ sql }: Statement, { repeatable }: ResolvedCall): StatementTraits {
  // A read-only statement has no effect, however it ended, unless the caller declared it not repeatable.
  if (isReadOnly(sql)) return repeatable === false ? readOnce : read
  if (isLoad.test(sql)) return repeatable === true ? repeatableLoad : load
  const several = !isAtomic(sql)
  if (repeatable === true) return several ? repeatableBlock : repeatableWrite
  return several ? block : write
}

/** The possible outcome of a failed autocommit statement, by the stage that it reached. */
export function outcomesByStage(statement: Statement, error: unknown): StageOutcomes {
  if (isReadOnly(statement.sql))
    return { unsent: 'not-done', answered: 'not-done', unread: 'not-done', lost: 'not-done' }
  // Without the bulk protocol, a batch is one command per row.
  const single = statement.kind !== 'batch' && isAtomic(statement.sql)
  const several = isLoad.test(statement.sql) ? classifyLoad : classifyMultiStep
  const { effect } = (single ? classifyCommit : several)(error)
  return {
    unsent: 'not-done',
    answered: effect === 'none' ? 'not-done' : 'unknown',
    unread: 'done',
    lost: 'unknown',
  }
}

function classifyRepeatableRead(error: unknown): Verdict {
  return { ...classifyRead(error), effect: 'none' }
}

// Parts may have been committed before the error.
function classifyMultiStep(error: unknown): Verdict {
  const verdict = classifyCommit(error)
  return verdict.scope === 'call' ? { ...verdict, effect: 'unknown' } : verdict
}

const isLoad = /^\s*LOAD\b/i

// The server or the driver refuses these before the first row: a file that is missing or forbidden, a missing privilege,
// a syntax error, and LOCAL where it is switched off (1148 on old servers, 4166).
const refusedLoads: readonly (number | undefined)[] = [13, 29, 1045, 1064, 1142, 1148, 1227, 4166, 45_021]

function classifyLoad(error: unknown): Verdict {
  const verdict = classifyCommit(error)
  return error instanceof DriverError && refusedLoads.includes(error.errno)
    ? { ...verdict, effect: 'none' }
    : classifyMultiStep(error)
}

function makeTraits(
  readOnly: boolean,
  repeatable: boolean,
  effect: Verdict['effect'],
  classify: StatementTraits['classify'],
): StatementTraits {
  return Object.freeze({ readOnly, repeatable, classify, effectIfLost: () => effect })
}

const read = makeTraits(true, true, 'none', classifyRepeatableRead)
const readOnce = makeTraits(true, false, 'unknown', classifyRead)
const write = makeTraits(false, false, 'unknown', classifyCommit)
const repeatableWrite = makeTraits(false, true, 'unknown', classifyCommit)
const block = makeTraits(false, false, 'unknown', classifyMultiStep)
const repeatableBlock = makeTraits(false, true, 'unknown', classifyMultiStep)
const load = makeTraits(false, false, 'unknown', classifyLoad)
const repeatableLoad = makeTraits(false, true, 'unknown', classifyLoad)
