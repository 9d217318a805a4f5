import { drawPicture } from '../harness/picture.ts'
import { ms } from '../harness/stats.ts'
import type { ExperimentResult } from './experiment.ts'
import { confirmInstants } from './ledger.ts'

/** What happened around the fault, as SVG: confirms and deliveries of each contestant, the fault marked. */
export function pictureOf({ experiment, faultAtMs, healedAtMs, floorMs, fared }: ExperimentResult): string {
  const { queueKind, fault, role, victim } = experiment
  return drawPicture({
    title: `${queueKind} queue, ${fault} of the ${role} (${victim}); floor ${ms(floorMs)}`,
    fromMs: faultAtMs - 2_000,
    toMs: healedAtMs + 2_000,
    tracks: fared.flatMap(({ name, ledger }) => [
      { name: `${name} confirms`, colour: '#26a', instants: confirmInstants(ledger) },
      { name: `${name} deliveries`, colour: '#2a6', instants: ledger.consumed.map(({ atMs }) => atMs) },
    ]),
    marks: [{ label: fault, fromMs: faultAtMs, toMs: healedAtMs }],
  })
}
