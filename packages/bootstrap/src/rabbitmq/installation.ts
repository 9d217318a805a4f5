/** Where the programs of RabbitMQ and Erlang are on this machine; an input of the plan, found by `machine/`. */
export interface RabbitInstallation {
  readonly version: string
  /** The folder that holds `sbin`, `escript` and `plugins`. */
  readonly home: string
  /** What is in `plugins`, sorted. */
  readonly plugins: readonly string[]
  /** The folder of `erl`. */
  readonly erlangBin: string
  readonly epmd: string
  /** Asks a running node a question in 5 ms; `rabbitmqctl` takes 300. Part of Erlang/OTP. */
  readonly erlCall: string
}
