package expo.modules.interfaces.permissions;

public class PermissionsResponse {
  public PermissionsStatus getStatus() { return null; }
}
