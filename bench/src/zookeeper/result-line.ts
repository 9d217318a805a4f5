import { ms } from '../harness/stats.ts'
import { type CastVerdict, instanceCount } from './cast.ts'
import type { Experiment, ExperimentResult } from './experiment.ts'
import type { Fared } from './fared.ts'
import { brokenPromises } from './promises.ts'

/** One experiment in one line. */
export function lineOf(result: ExperimentResult): string {
  const { experiment, victim, floorMs, fared, cast } = result
  const broken = brokenPromises(result)
  const floor = floorMs === undefined ? '' : `; floor ${ms(floorMs)}`
  const others = cast === undefined ? '' : `; ${castWords(cast)}`
  const verdict = broken === '' ? '' : ` NOT KEPT: ${broken}`
  const where = experiment.fault === 'client-freeze' ? '' : ` (${victim})`
  return `${nameOf(experiment)}${where}: ${fared.map(clientWords).join('; ')}${floor}${others}${verdict}`
}

/** What was done to what. */
export function nameOf({ fault, role }: Experiment): string {
  if (fault === 'client-freeze') return 'freeze of the holder of a lock'
  return `${fault} of the ${role === 'leader' ? 'leader' : 'attached server'}`
}

function clientWords({ name, darkMs, movedAfterMs, isSessionKept, verdict }: Fared): string {
  const moved = movedAfterMs === undefined ? '' : `, moved after ${ms(movedAfterMs)}`
  const kept = isSessionKept ? ', session kept' : ', session lost'
  const shown = Object.entries(verdict.rejections).map(([words, count]) => `${count} x ${words}`)
  const errors = shown.length === 0 ? '' : ` [${shown.join(', ')}]`
  return `${name} writes again after ${ms(darkMs)}${moved}${kept}${errors}`
}

function castWords({ leases, registered, fewestInstances, differences }: CastVerdict): string {
  const { acquired, overlaps, thaws } = leases
  const thawed =
    thaws.length === 0 ? '' : `, valid after the freeze ${thaws.map(({ wasValid }) => wasValid).join()}`
  const registry = `registered ${registered} of ${instanceCount} (fewest seen ${fewestInstances})`
  return `lock had ${acquired} times (overlaps ${overlaps})${thawed}, ${registry}, cache differs in ${differences.length}`
}
