package expo.modules.interfaces.permissions;

public enum PermissionsStatus { GRANTED, UNDETERMINED, DENIED }
