"""What every test of the suite shares. Each room's own fixtures lie in its folder."""
