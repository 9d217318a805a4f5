import type { FieldTable } from '../wire/field-value.ts'
import { isInteger } from './argument.ts'
import { invalidArgument, type QueuePlace, typeFault } from './queue-arguments.ts'

/** Refuses the arguments of a consumer that RabbitMQ refuses. The fake does nothing with those that it accepts. */
export function checkConsumerArguments(where: QueuePlace, table: FieldTable): void {
  const priority = table.get('x-priority')
  if (priority !== undefined && !isInteger(priority)) {
    throw invalidArgument(where, 'x-priority', `"expected integer, got ${priority.type}"`)
  }
  const cancel = table.get('x-cancel-on-ha-failover')
  if (cancel !== undefined && cancel.type !== 'bool') {
    throw invalidArgument(where, 'x-cancel-on-ha-failover', typeFault(cancel))
  }
}
