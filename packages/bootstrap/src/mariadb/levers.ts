import type { Lever } from '../model/plan.ts'
import { sql } from './commands.ts'
import type { MariadbPlace } from './place.ts'

/** The lever that sets a server variable, and sets it back. */
export function settingLever(
  place: MariadbPlace,
  node: string,
  [name, broken, healed]: readonly [name: string, broken: string, healed: string],
): Lever {
  const set = (value: string): string => `SET GLOBAL ${name} = ${value}`
  return { begin: sql(place, node, set(broken)), heal: sql(place, node, set(healed)) }
}
