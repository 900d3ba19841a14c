// Expo's config plugin: what the two systems must know of an app that listens. It changes plain fields of the config, so
// that it needs no library.

const MICROPHONE = 'Allow $(PRODUCT_NAME) to hear you while you talk to the assistant.';
const ANDROID = ['RECORD_AUDIO', 'MODIFY_AUDIO_SETTINGS'];
const ANDROID_BEHIND = ['FOREGROUND_SERVICE', 'FOREGROUND_SERVICE_MICROPHONE', 'POST_NOTIFICATIONS'];

const permission = (name) => `android.permission.${name}`;
const union = (old = [], more) => [...new Set([...old, ...more])];

/**
 * `microphone`: the sentence of iOS's question for the permission. `background`: the call goes on behind other apps and
 * the lock screen; pair it with `inBackground: 'keep'` in the app.
 */
module.exports = function withVivavoceAudio(config, { microphone = MICROPHONE, background = false } = {}) {
  const { ios = {}, android = {} } = config;
  const infoPlist = { NSMicrophoneUsageDescription: microphone, ...ios.infoPlist };
  if (background) infoPlist.UIBackgroundModes = union(infoPlist.UIBackgroundModes, ['audio']);
  const wanted = background ? [...ANDROID, ...ANDROID_BEHIND] : ANDROID;
  const blocked = background ? [] : ANDROID_BEHIND;
  return {
    ...config,
    ios: { ...ios, infoPlist },
    android: {
      ...android,
      permissions: union(android.permissions, wanted.map(permission)),
      blockedPermissions: union(android.blockedPermissions, blocked.map(permission)),
    },
  };
};
