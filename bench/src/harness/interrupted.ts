/** The user ended the run; everything that it had started is ended as well. */
export class Interrupted extends Error {}
