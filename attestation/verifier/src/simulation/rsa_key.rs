//! An RSA key of 2048 bits for tests. It was made for them and is used nowhere else.

/// The private key: PKCS #8, in Base64.
pub(super) const RSA_KEY: &str = "\
    MIIEugIBADANBgkqhkiG9w0BAQEFAASCBKQwggSgAgEAAoIBAQCZ2wOXjUxPi7Q5wtdC+p4G/aTsPEha\
    /bGQxngN+AfMwlFGR7yiNYKzHXAhw1vEUDdSB2pdHybFeSlT67OdNfaQalw1gvctHbWkB3Pyh920eTwe\
    Jq/zBib3faImgyKtsOp1mWVNyEss/OtrsodqItlBvFaKrpfIbPKxH8O2D+K7CYCFAIYL3hgw3wx7YO0D\
    63NXevPHYN4wLuwTBZJVXo52upaqyPaDU0w/diqaoSIBXwe3s7H3k4HfMW0bMp+t5YBXqEm6RAlRD6px\
    0nPsn4TE+bSNXQl9Vz947HmwdndLxJCHDbMjtrxCoWTg9bAqpNKj6rCGnfwGGZJTEz9gMXUHAgMBAAEC\
    gf8/+N5Hcc6YYnjhoXlUOcFEdWTnl+DvD0gyy7+O8YOvrsRy3PTIS0PL2vfzN6aw2BL3z0M5Idr5Or7w\
    dUulRaqgYze5152zUv/WQyCCkraNtIGW47e2P7n/E2eQay08ogutYshVnIu7gbz+nz81/3tJzieQtKsi\
    ugrPcLgtwHtUVbdPTA3xN9J7nMI2ThK8+/ru20SWR3urZXK1ag5ant4EazQana4oGSLUyzYQ0tFW6ILG\
    1tsjMrD73o4MLAtxo4dUrinPiBTm/teCLZbYd9tqFl5voLQjh3PUrLDMoGI+KysPqSjZsezbTI1anptJ\
    3LB2rtMcyyk52sEVmy1YxpECgYEAyGXH0Xwh11mZ2wa8Rgey65Sa4AjAZKdD0TvFZ/uHBl/kauw3vf6u\
    Z1vdVWftd++EcKZGxpLDwl3YDw06q1xOCUuc2C8KAADpvdTE3ihezpuU9KYaYQg/c4Lqwgt0FEissYpg\
    pTMeT4QtHG8Ri/FhXzzxsDvmxjm0dAjVDkhxbVECgYEAxItbIx4ceVUowXKWOsJvrnobcimUkZ6eEYlY\
    Zc8GsZ3W7k9+UK4MEe9a/1m7nBLw1qpoXaDWD8LHrtvgdufroeTVWj7vGxbNorhcOIMc+bIS36aOAX60\
    2MQAEKfTG6BRYIxGAisX0x68FZgN2+0Bfe+PndE+hCKc8/znKsfCxtcCgYBIo/xGh0SNF0GaD1r315qX\
    oopxYzq6QZdnpM7t3lMXkHLv/yhFiqgVd0tHxiBiNURAwUUufczQC8xhyF3X9+GhpPL5ujNZxPr1gMbL\
    8L5NDkB0XjF5ss+tQ2ttY1F0eNOAl7RorZrzH+pqQCiQHbM6HpFNXKlOeWRcG0d/oerbwQKBgGxUSwVO\
    IW+WyoHlQHxekuPeFaaU2HhyrrkHtJtYwl2/m6l6Uyrw42I3RTadJNTfc7M99Yw1jAbf2uO7+TpQlgWD\
    dTzqlyudI/ZeGyZizeOqjNCMopScW91mGosTlT4S3QeUCTpEujr5I73bMzhWp43cLpJTtFtsIIoyiM+B\
    jw+9AoGAJ9HbPcbHgsDrB7Z0M+3mIhYY1ry1rQBVVh+ds3O9iIiXJoa2XV2c7tc7ZhDELfKQrn+p4dtK\
    Py4dhnYCbQ1XMparIFXkMA5gMtweqLCVgXUbPbw5diPVBmox9/7yi+2dZDJo5bHD6Dw+XCSPNNp+FDYs\
    ufUDLVCuxfIvfCSqHCk=";
