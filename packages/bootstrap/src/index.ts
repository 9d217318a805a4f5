/**
 * `@ha/bootstrap`: starts, breaks, heals and ends real clusters on one machine.
 *
 * @module bootstrap
 */

export { type FindOptions, findLabs, openLab } from './client/find-labs.ts'
export type {
  FaultLease,
  FaultOptions,
  Lab,
  LabNode,
  PartitionOptions,
  RecoverOptions,
  WaitOptions,
} from './client/lab.ts'
export { type StartOptions, startLab } from './client/start-lab.ts'
export { type DoctorOptions, doctor } from './doctor/doctor.ts'
export type { Finding } from './doctor/findings.ts'
export { type InstallOptions, type InstallOutcome, installServers } from './doctor/install.ts'
export type { Evidence, Recovery, RecoveryDecision, SourceState } from './galera/recovery.ts'
export type { Fault, FaultAction, LabEvent, RecordedEvent } from './lab/events.ts'
export type { LabPhase } from './lab/state.ts'
export type { LabNodeState, LabStatus, NodeStatus } from './lab/status.ts'
export type { ProcessId } from './machine/process-table.ts'
export { type BootstrapCode, bootstrapCodes } from './model/errors.ts'
export type { MemberRole, MemberView } from './model/membership.ts'
export type { KindName, NetworkFault, PartitionSide, ServerFault } from './model/plan.ts'
export type {
  GaleraTopology,
  LabTopology,
  Policy,
  RabbitTopology,
  ReplicationTopology,
  ZookeeperTopology,
} from './model/topology.ts'
