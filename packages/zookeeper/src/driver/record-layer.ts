import type { data, packaged } from './records.ts'

/** A field in the package's words: a name, and a type such as `int` or `vector<ustring>`. */
export interface JuteField {
  readonly name: string
  readonly type: string
}

/** A record of the package. Its fields are properties of their own; it knows how they are written. */
export interface JuteRecord {
  readonly specification: readonly JuteField[]
  byteLength(): number
  serialize(buffer: Buffer, offset: number): number
  deserialize(buffer: Buffer, offset: number): number
}

/** Makes a record of one kind: the values are in the order of its fields. */
export type JuteClass = new (...values: readonly unknown[]) => JuteRecord

/** Makes a record of any kind: all classes of the package inherit from it. */
export type JuteBase = new (specification: readonly JuteField[], values: readonly unknown[]) => JuteRecord

/** All that we use of the package: its records. Its client, its connections and its watchers are never touched. */
export interface RecordLayer {
  readonly protocol: Readonly<Record<keyof typeof packaged, JuteClass>>
  readonly data: Readonly<Record<keyof typeof data, JuteClass>>
  /** It is not exported, but each class leads to it. */
  readonly Base: JuteBase
}
