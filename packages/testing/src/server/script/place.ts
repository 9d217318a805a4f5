/** Whose bytes or messages a rule is about. */
export type Side = 'client' | 'server'

/** Which connections a rule is about: all of them when neither is given. */
export interface Place {
  /** The number of a node, from 1. */
  readonly node?: number
  /** The number of a connection, from 1, in the order in which the nodes together accepted them. */
  readonly connection?: number
}

/** Where a connection stands, for a rule's {@link Place}. */
export interface Where {
  readonly node: number
  readonly connection: number
}

/** Whether a rule for this place is about a connection that stands there. */
export function isAt(place: Place, where: Where): boolean {
  return (
    (place.node === undefined || place.node === where.node) &&
    (place.connection === undefined || place.connection === where.connection)
  )
}
