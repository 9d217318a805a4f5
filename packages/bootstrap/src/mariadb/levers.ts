import type { FaultCommands } from '../model/plan.ts'
import { sql } from './commands.ts'
import type { MariadbDeployment } from './place.ts'

/** The lever that sets a server variable, and sets it back. */
export function settingFault(
  deployment: MariadbDeployment,
  node: string,
  [name, broken, healed]: readonly [name: string, broken: string, healed: string],
): FaultCommands {
  const set = (value: string): string => `SET GLOBAL ${name} = ${value}`
  return { begin: sql(deployment, node, set(broken)), heal: sql(deployment, node, set(healed)) }
}
