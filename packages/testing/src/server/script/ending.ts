/** How a server cuts a connection: by an RST, by a FIN, or by a FIN of its half while it still does what it is told. */
export type ServerCut = 'reset' | 'end' | 'half'

/** The end of what a connection says, in the ways that a protocol's rules have. */
export type EndingBy<How extends ServerCut> =
  /** From here on the server reads nothing and says nothing, and the socket stays open. */
  | { readonly do: 'silence' }
  /** The connection ends. */
  | { readonly do: 'cut'; readonly how: How }
