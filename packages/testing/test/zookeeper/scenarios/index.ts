import { access } from './access.ts'
import { multis } from './multis.ts'
import { nodes } from './nodes.ts'
import { oddities } from './oddities.ts'
import { sessions } from './sessions.ts'
import type { Scenario } from './stage.ts'
import { watching } from './watching.ts'

/** Everything that a client can see and that has to be the same on a fake ensemble and on a real one. */
export const scenarios: readonly Scenario[] = [
  ...nodes,
  ...multis,
  ...watching,
  ...access,
  ...sessions,
  ...oddities,
]
