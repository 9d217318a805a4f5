/**
 * `@ha/zookeeper`: the ZooKeeper client.
 *
 * @module zookeeper
 */

export { HaError, isHaError } from '@ha/core'
export type { Cache, CacheOptions } from './cache/cache.ts'
export type { CacheChange, CachedNode } from './cache/contents.ts'
export type { Depth } from './cache/tree-node.ts'
export { createZookeeper, type DeleteOptions, Zookeeper, type ZookeeperHealth } from './client.ts'
export {
  type SessionInfo,
  /** @deprecated Use `SessionInfo`. */
  type SessionInfo as SessionTold,
  type ZookeeperEvents,
  type ZookeeperFailover,
  type ZookeeperState,
  zookeeperChannels,
} from './client-state.ts'
export { type CuratorCodecOptions, curatorCodec, springCodec } from './discovery/curator-codec.ts'
export type { Discovery, DiscoveryHealth, DiscoveryOptions } from './discovery/discovery.ts'
export type { HealthGate } from './discovery/health-gate.ts'
export {
  type Instance,
  type InstanceCodec,
  type InstancePatch,
  type InstanceSpec,
  type InstanceStatus,
  instanceUri,
} from './discovery/instance.ts'
export type { PanicThresholdOptions, ServiceChange } from './discovery/instance-list.ts'
export type { PickStrategy } from './discovery/load-balancer.ts'
export type { CallReport, OutlierDetectionOptions } from './discovery/outlier-detection.ts'
export type {
  OnUnhealthy,
  RegisterOptions,
  Registration,
  RegistrationEvents,
  RegistrationState,
} from './discovery/registration.ts'
export type { ServiceOptions, ServiceView, ServiceViewState, ZoneOptions } from './discovery/service-view.ts'
export { type ZookeeperCode, ZookeeperError, type ZookeeperErrorDetails, zookeeperCodes } from './errors.ts'
export type { Acl, Bytes, Children, Created, Node, Permission, Stat, WatchEvent } from './node.ts'
export { creatorOnly, openToAll } from './operations/acl.ts'
export { unmarked } from './operations/create.ts'
export type {
  CallOptions,
  CreateOptions,
  Operations,
  VersionOptions,
  WriteOptions,
} from './operations/operations.ts'
export type { AuthOptions, LivenessOptions, ZookeeperOptions } from './options.ts'
export type { Change, Changed } from './protocol/multi.ts'
export type { Counter } from './recipes/counter.ts'
export type { Barrier } from './recipes/double-barrier.ts'
export type { CampaignOptions, Election, ElectionOptions, Participant } from './recipes/election.ts'
export type { Ephemeral, EphemeralEvents, EphemeralOptions, EphemeralState } from './recipes/ephemeral.ts'
export type { Lock, LockOptions } from './recipes/lock.ts'
export type { Lease } from './recipes/lock-node.ts'
export type { RwLock } from './recipes/read-write-lock.ts'
export type { Semaphore } from './recipes/semaphore.ts'
export type { ServerHealth } from './server-status.ts'
export type { LiveSession } from './session/session.ts'
export type {
  RecursiveWatchEvent,
  /** @deprecated Use `RecursiveWatchEvent`. */
  RecursiveWatchEvent as BelowEvent,
  WatchOptions,
} from './watches/watch-iterators.ts'
