// The driver's own types, for those who may not import the driver.
export type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage, Message, Options } from 'amqplib'
