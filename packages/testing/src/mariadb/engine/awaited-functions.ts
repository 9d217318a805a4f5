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
    const hasReached = await isReplicatedIn(run, seqnoIn(gtid), limitOf(seconds))
    return hasReached ? 0 : -1
  },
  wsrep_sync_wait_upto_gtid: async (run, [gtid = null, seconds = null]) => {
    if (String(gtid).includes(',')) throw refusals.wrongArguments('wsrep_sync_wait_upto_gtid')
    // Whole seconds: on 10.11.19 a wait of 0.25 is one of 0.
    const timeoutMs = Math.floor(limitOf(seconds) / 1_000) * 1_000
    if (await isAppliedIn(run, seqnoIn(gtid), timeoutMs)) return '1'
    throw refusals.lockWait()
  },
}

function seqnoIn(gtid: Value): number {
  const seqno = seqnoOf(String(gtid))
  if (seqno === undefined) throw refusals.badGtid()
  return seqno
}

// Waits for what comes from another server. Who follows nobody waits in vain, also for what it wrote itself.
async function isReplicatedIn(run: Run, seqno: number, timeoutMs: number): Promise<boolean> {
  const { membership, clock } = run.session.server
  if (membership.replica() !== undefined) return isAppliedIn(run, seqno, timeoutMs)
  if (timeoutMs > 0) await clock.sleep(timeoutMs, run.signal)
  return false
}

function isAppliedIn(run: Run, seqno: number, timeoutMs: number): Promise<boolean> {
  return run.session.server.applier.hasReached(seqno, { timeoutMs, signal: run.signal })
}

// A wait without a limit ends with the test at the latest.
const longestWaitMs = 86_400_000

function limitOf(seconds: Value): number {
  return seconds === null ? longestWaitMs : millisecondsOf(seconds)
}

function millisecondsOf(seconds: Value): number {
  return seconds === null ? 0 : Number(numberOf(seconds)) * 1_000
}
