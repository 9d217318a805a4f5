import { drawPicture } from '../harness/picture.ts'
import { ms } from '../harness/stats.ts'
import type { ExperimentResult } from './experiment.ts'
import { readInstants, writeInstants } from './fared.ts'
import { nameOf } from './result-line.ts'

/** What happened around the fault, as SVG: writes and reads of each client, the fault marked. */
export function pictureOf({ experiment, victim, window, floorMs, fared }: ExperimentResult): string {
  const { faultAtMs, healedAtMs } = window
  return drawPicture({
    title: `${nameOf(experiment)} (${victim}); floor ${ms(floorMs)}`,
    fromMs: faultAtMs - 2_000,
    toMs: healedAtMs + 2_000,
    tracks: fared.flatMap(({ name, ops }) => [
      { name: `${name} writes`, colour: '#26a', instants: writeInstants(ops) },
      { name: `${name} reads`, colour: '#2a6', instants: readInstants(ops) },
    ]),
    marks: [{ label: experiment.fault, fromMs: faultAtMs, toMs: healedAtMs }],
  })
}
