// The config plugin, which the two systems read an app's permissions from.
const plugin = require('../modules/vivavoce-audio/app.plugin.js');

const BEHIND = ['FOREGROUND_SERVICE', 'FOREGROUND_SERVICE_MICROPHONE', 'POST_NOTIFICATIONS'].map(
  (name) => `android.permission.${name}`,
);

test('an app that listens in front only asks for the microphone, and for nothing that works behind others', () => {
  const { ios, android } = plugin({ name: 'app' });
  expect(ios.infoPlist).toEqual({ NSMicrophoneUsageDescription: expect.stringContaining('hear you') });
  expect(android.permissions).toEqual(['android.permission.RECORD_AUDIO', 'android.permission.MODIFY_AUDIO_SETTINGS']);
  expect(android.blockedPermissions).toEqual(BEHIND);
});

test('an app with background audio asks for that, too', () => {
  const { ios, android } = plugin({ name: 'app' }, { background: true });
  expect(ios.infoPlist.UIBackgroundModes).toEqual(['audio']);
  expect(android.permissions).toEqual(expect.arrayContaining(BEHIND));
  expect(android.blockedPermissions).toEqual([]);
});

test('what the app says itself stays, and nothing is there twice', () => {
  const own = {
    name: 'app',
    ios: { infoPlist: { NSMicrophoneUsageDescription: 'To talk.', UIBackgroundModes: ['audio', 'fetch'] }, buildNumber: '7' },
    android: { permissions: ['android.permission.RECORD_AUDIO', 'android.permission.CAMERA'] },
  };
  const { ios, android } = plugin(plugin(own, { background: true }), { background: true });
  expect(ios).toEqual({ ...own.ios });
  expect(android.permissions.filter((name) => name.endsWith('RECORD_AUDIO'))).toHaveLength(1);
  expect(android.permissions).toContain('android.permission.CAMERA');
});
