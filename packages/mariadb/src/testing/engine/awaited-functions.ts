import { type Call, callsIn, type Expression } from '../sql/expression.ts'
import type { Value } from '../wire/value.ts'
import { numberOf } from './compare.ts'
import { evaluate } from './evaluate.ts'
import { seqnoOf } from './gtid.ts'
import { refusals } from './refusals.ts'
import type { Run } from './run.ts'
import { scopeOf } from './statement-scope.ts'

/** Waits for the functions in these expressions that wait, and returns what they gave. */
export async function awaitFunctions(
  run: Run,
  expressions: readonly Expression[],
): Promise<ReadonlyMap<Call, Value>> {
  const calls: Call[] = []
  for (const expression of expressions) callsIn(expression, (call) => calls.push(call))
  const values = new Map<Call, Value>()
  for (const call of calls) {
    const perform = waiting[call.name]
    if (perform === undefined) continue
    values.set(
      call,
      await perform(
        run,
        call.args.map((arg) => evaluate(arg, scopeOf(run))),
      ),
    )
  }
  return values
}

type Perform = (run: Run, args: readonly Value[]) => Promise<Value>

const waiting: Readonly<Record<string, Perform>> = {
  sleep: async ({ session, signal }, [seconds = null]) => {
    await session.server.clock.sleep(millisecondsOf(seconds), signal)
    return 0
  },
  master_gtid_wait: async (run, [gtid = null, seconds = null]) => {
    const hasReached = await isAppliedIn(run, gtid, seconds)
    return hasReached ? 0 : -1
  },
  wsrep_sync_wait_upto_gtid: async (run, [gtid = null, seconds = null]) => {
    if (await isAppliedIn(run, gtid, seconds)) return '1'
    throw refusals.lockWait()
  },
}

function isAppliedIn(run: Run, gtid: Value, seconds: Value): Promise<boolean> {
  const seqno = seqnoOf(String(gtid))
  if (seqno === undefined) throw refusals.badGtid()
  const timeoutMs = seconds === null ? longestWaitMs : millisecondsOf(seconds)
  return run.session.server.applier.hasReached(seqno, { timeoutMs, signal: run.signal })
}

// A wait without a limit ends with the test at the latest.
const longestWaitMs = 86_400_000

function millisecondsOf(seconds: Value): number {
  return seconds === null ? 0 : Number(numberOf(seconds)) * 1_000
}
