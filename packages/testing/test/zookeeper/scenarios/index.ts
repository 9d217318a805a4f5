import { access } from './access.ts'
import type { Scenario } from './harness.ts'
import { multis } from './multis.ts'
import { nodes } from './nodes.ts'
import { sessions } from './sessions.ts'
import { unusualRequests } from './unusual-requests.ts'
import { watches } from './watches.ts'

/** Everything that a client can see and that has to be the same on a fake ensemble and on a real one. */
export const scenarios: readonly Scenario[] = [
  ...nodes,
  ...multis,
  ...watches,
  ...access,
  ...sessions,
  ...unusualRequests,
]
