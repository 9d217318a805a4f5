import { ms } from '../harness/stats.ts'
import type { ExperimentResult } from './experiment.ts'
import type { Fared } from './fared.ts'
import { brokenPromises, kept } from './promises.ts'

/** One experiment in one line. */
export function lineOf({ experiment, floorMs, fared }: ExperimentResult): string {
  const { fault, role, victim } = experiment
  return `${fault} of the ${role} (${victim}): ${fared.map(clientLine).join('; ')}; floor ${ms(floorMs)}`
}

function clientLine(one: Fared): string {
  const reads = one.readExtraMs === undefined ? '' : `, reads + ${ms(one.readExtraMs)}`
  const down = one.downAfterMs === undefined ? '' : `, down after ${ms(one.downAfterMs)}`
  const doubts = one.doubted.length === 0 ? '' : `, doubted ${one.doubted.join(' ')}`
  const shown = Object.entries(one.verdict.rejections).map(
    ([name, { shown: n, there }]) => `${n} x ${name} (${there} there)`,
  )
  const errors = shown.length === 0 ? '' : ` [${shown.join(', ')}]`
  const broken = kept(one) ? '' : ` NOT KEPT: ${brokenPromises(one)}`
  return `${one.name} writes again after ${ms(one.darkMs)}${reads}${down}${doubts}${errors}${broken}`
}
