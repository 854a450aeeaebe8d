import { WeirError } from '../errors.ts'
import type { ChatMessage } from '../schemas/chat-message.ts'

/** Only the beginning is looked at: the rest is megabytes of base64. */
const dataImage = /^data:image\/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/]/
const webAddress = /^https?:\/\/[^\s/]/

/**
 * Refuses images that are named by an address: the model's server would fetch it by itself, from inside its own network.
 * Throws a WeirError `invalidRequest` with the place.
 */
export function checkMediaUrls(messages: readonly ChatMessage[], allowWeb: boolean): void {
  messages.forEach((message, i) => {
    const { content } = message
    if (!Array.isArray(content)) return
    content.forEach((part, j) => {
      if (part.type !== 'image_url') return
      const head = part.image_url.url.slice(0, 64)
      if (dataImage.test(head) || (allowWeb && webAddress.test(head))) return
      const param = `messages[${i}].content[${j}].image_url.url`
      throw new WeirError(
        'invalidRequest',
        'Send images inside the request, as data:image/png;base64,… (or jpeg, webp, gif): addresses are not fetched.',
        { param },
      )
    })
  })
}
