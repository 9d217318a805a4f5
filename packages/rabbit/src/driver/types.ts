// Types of the driver, for modules that may not import it.
export type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage, Message, Options } from 'amqplib'
