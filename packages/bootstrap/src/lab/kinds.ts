import { readView as readGaleraView } from '../galera/answers.ts'
import type { MemberView } from '../model/agreement.ts'
import type { KindName } from '../model/plan.ts'
import { readView as readRabbitView, repairRefusal } from '../rabbitmq/answers.ts'
import { readView as readReplicationView } from '../replication/answers.ts'
import { readView as readZookeeperView } from '../zookeeper/answers.ts'

/** What a kind of cluster knows that a plan cannot say as data: how to read what its members answer. */
export interface AnswerReader {
  readView(output: string): MemberView
  /** Why the repair command of a member did not repair it; undefined when it did. */
  repairRefusal(output: string): string | undefined
}

/** The kinds of cluster that labs are made of. */
export const answerReaders: Readonly<Record<KindName, AnswerReader>> = {
  rabbitmq: { readView: readRabbitView, repairRefusal },
  galera: { readView: readGaleraView, repairRefusal: () => undefined },
  replication: { readView: readReplicationView, repairRefusal: () => undefined },
  zookeeper: { readView: readZookeeperView, repairRefusal: () => undefined },
}
