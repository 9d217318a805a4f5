/** A name that a session gives, such as `digest` and `user:password`. */
export interface Login {
  readonly scheme: string
  readonly value: Buffer
}
