const prefixes = ['png', 'jpeg', 'jpg', 'webp', 'gif'].map(type => `data:image/${type};base64,`)

/**
 * Whether an image comes inside its URL. Engines compare the scheme letter by letter, so nothing is trimmed or folded:
 * what they might read differently is refused. Only the first bytes of the image are looked at, for it may be megabytes
 * and the engine decodes it anyway.
 */
export function isImageDataUrl(url: string): boolean {
  const prefix = prefixes.find(each => url.startsWith(each))
  return prefix !== undefined && /^[A-Za-z0-9+/]{16}/.test(url.slice(prefix.length, prefix.length + 16))
}
