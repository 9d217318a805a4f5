import { type Broken, brokenWords } from '../harness/broken.ts'
import { boundMs } from './bound.ts'
import { type CastVerdict, instanceCount } from './cast.ts'
import type { ExperimentResult } from './experiment.ts'
import type { Fared } from './fared.ts'
import { ours } from './ours.ts'

/** What our client did not keep in an experiment, in words; empty when it kept everything. */
export function brokenPromises(result: ExperimentResult): string {
  const clients = result.fared
    .filter(({ name }) => name === ours.name)
    .flatMap((one) => ofClient(one, result))
  const cast = result.cast === undefined ? [] : ofCast(result.cast, result)
  return brokenWords([...clients, ...cast])
}

/** True when every promise of our client was kept. */
export function kept(result: ExperimentResult): boolean {
  return brokenPromises(result) === ''
}

function ofClient(
  { verdict, unhandled, darkMs, isSessionKept, hung }: Fared,
  result: ExperimentResult,
): readonly Broken[] {
  const isLate = (darkMs ?? 0) > boundMs(result)
  return [
    [verdict.lost, 'acknowledged and lost'],
    [verdict.twice, 'made twice'],
    [verdict.unsettled, 'never settled'],
    [hung, 'past their deadline'],
    [mayLoseSession(result) ? 0 : verdict.failedReads, 'failed reads'],
    [verdict.wronglyNotDone, 'called not done though they were'],
    [verdict.unequalServers, 'servers that differ'],
    [unhandled.length, `unhandled (${unhandled[0]})`],
    [darkMs === undefined ? 1 : 0, 'never back'],
    [result.floorMs !== undefined && isLate ? 1 : 0, 'too late'],
    [isSessionKept || mayLoseSession(result) ? 0 : 1, 'session lost'],
  ]
}

function ofCast(
  { leases, differences, registered, emptyPicks, sessionsLost, unhandled }: CastVerdict,
  { experiment, ...result }: ExperimentResult,
): readonly Broken[] {
  const isFreeze = experiment.fault === 'client-freeze'
  const thaws = leases.thaws.filter(({ wasValid }) => wasValid).length
  return [
    [leases.overlaps, 'leases valid at one instant'],
    [leases.rejectedValid, 'writes of a valid lease turned away'],
    [leases.acceptedStale, 'stale tokens taken'],
    // Whoever is frozen hears nothing: there it is the clock alone that ends a lease.
    [isFreeze ? 0 : leases.signalledLate, 'leases that heard too late of their end'],
    [thaws, 'leases valid after a freeze'],
    [isFreeze && leases.thaws.length === 0 ? 1 : 0, 'freeze that nobody woke from'],
    [differences.length, `differences from a fresh read (${differences[0]})`],
    [instanceCount - registered, 'instances not registered'],
    [emptyPicks, 'times nobody to be picked'],
    [isFreeze || mayLoseSession({ experiment, ...result }) ? 0 : sessionsLost, 'sessions of others lost'],
    [unhandled.length, `unhandled (${unhandled[0]})`],
  ]
}

// Where no server can serve for so long, a session is certain to nobody.
function mayLoseSession({ experiment, floorMs }: Pick<ExperimentResult, 'experiment' | 'floorMs'>): boolean {
  return (floorMs ?? 0) > experiment.sessionTimeoutMs / 2
}
